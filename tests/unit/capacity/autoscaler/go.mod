module decisions

go 1.22

require knative.dev/serving v0.42.2
