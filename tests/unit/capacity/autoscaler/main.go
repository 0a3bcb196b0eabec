// Program decisions asks Knative's own autoscaler (knative.dev/serving v0.42.2, pkg/autoscaler/scaling) what it decides
// for a number of load traces, and prints the answers as JSON: what the model in knative/capacity is held to.
//
// The metric windows are the real ones too (pkg/autoscaler/aggregation, as pkg/autoscaler/metrics/collector.go fills
// them: one value a second). Pods are the only thing made up: what is decided, within min and max, is ready a fixed
// time later, and what is too many is gone at once.
package main

import (
	"context"
	"encoding/json"
	"os"
	"time"

	"go.uber.org/zap"
	"k8s.io/apimachinery/pkg/types"

	"knative.dev/serving/pkg/autoscaler/aggregation"
	"knative.dev/serving/pkg/autoscaler/metrics"
	"knative.dev/serving/pkg/autoscaler/scaling"
)

const tick = 2 // seconds; tickInterval in multiscaler.go

type caseOf struct {
	Name            string      `json:"name"`
	Target          float64     `json:"target"`
	Total           float64     `json:"total"`
	BurstCapacity   float64     `json:"burst_capacity"`
	MaxScaleUpRate  float64     `json:"max_scale_up_rate"`
	Window          int         `json:"window_seconds"`
	PanicWindow     int         `json:"panic_window_seconds"`
	PanicThreshold  float64     `json:"panic_threshold"`
	ScaleDownDelay  int         `json:"scale_down_delay_seconds"`
	ActivationScale int32       `json:"activation_scale"`
	Min             int32       `json:"min"`
	Max             int32       `json:"max"`
	Start           int32       `json:"start"`
	StartSeconds    int         `json:"start_seconds"`
	Concurrency     []float64   `json:"concurrency"` // of each second; below zero: nothing was reported
	Decisions       []*decision `json:"decisions"`
}

type decision struct {
	Second  int     `json:"second"`
	Ready   int32   `json:"ready"`
	Stable  float64 `json:"stable"`
	Panic   float64 `json:"panic"`
	Valid   bool    `json:"valid"`
	Desired int32   `json:"desired"`
	Excess  int32   `json:"excess"`
}

type pods struct{ ready int32 }

func (p *pods) ReadyCount() (int, error)    { return int(p.ready), nil }
func (p *pods) NotReadyCount() (int, error) { return 0, nil }

type windows struct{ stable, panic *aggregation.TimedFloat64Buckets }

func (w *windows) StableAndPanicConcurrency(_ types.NamespacedName, now time.Time) (float64, float64, error) {
	if w.stable.IsEmpty(now) {
		return 0, 0, metrics.ErrNoData
	}
	return w.stable.WindowAverage(now), w.panic.WindowAverage(now), nil
}

func (w *windows) StableAndPanicRPS(key types.NamespacedName, now time.Time) (float64, float64, error) {
	return w.StableAndPanicConcurrency(key, now)
}

type start struct {
	at    int
	count int32
}

func run(c *caseOf) {
	seconds := func(n int) time.Duration { return time.Duration(n) * time.Second }
	base := time.Now().Truncate(seconds(tick)).Add(seconds(tick)) // an autoscaler is made a moment before its first tick
	w := &windows{
		aggregation.NewTimedFloat64Buckets(seconds(c.Window), time.Second),
		aggregation.NewTimedFloat64Buckets(seconds(c.PanicWindow), time.Second),
	}
	p := &pods{c.Start}
	scaler := scaling.New(context.Background(), "n", "r", w, p, &scaling.DeciderSpec{
		MaxScaleUpRate: c.MaxScaleUpRate, MaxScaleDownRate: 2, ScalingMetric: "concurrency",
		TargetValue: c.Target, TotalValue: c.Total, TargetBurstCapacity: c.BurstCapacity, ActivatorCapacity: 100,
		PanicThreshold: c.PanicThreshold, StableWindow: seconds(c.Window), ScaleDownDelay: seconds(c.ScaleDownDelay),
		InitialScale: 1, Reachable: true, ActivationScale: c.ActivationScale,
	})
	var starting []start
	wanted := c.Start
	for second, value := range c.Concurrency {
		now := base.Add(seconds(second))
		kept := starting[:0]
		for _, one := range starting {
			if one.at <= second {
				p.ready += one.count
			} else {
				kept = append(kept, one)
			}
		}
		starting = kept
		if value >= 0 {
			w.stable.Record(now, value)
			w.panic.Record(now, value)
		}
		if second%tick != 0 {
			continue
		}
		stable, panicking, _ := w.StableAndPanicConcurrency(types.NamespacedName{}, now)
		ready := p.ready
		result := scaler.Scale(zap.NewNop().Sugar(), now)
		if result.ScaleValid {
			bounded := result.DesiredPodCount
			if bounded < c.Min {
				bounded = c.Min
			}
			if c.Max > 0 && bounded > c.Max {
				bounded = c.Max
			}
			if bounded > wanted {
				starting = append(starting, start{second + c.StartSeconds, bounded - wanted})
			}
			for excess := wanted - bounded; excess > 0; excess-- { // the newest go first
				if last := len(starting) - 1; last >= 0 {
					starting[last].count--
					if starting[last].count == 0 {
						starting = starting[:last]
					}
				} else {
					p.ready--
				}
			}
			wanted = bounded
		}
		c.Decisions = append(c.Decisions, &decision{
			second, ready, stable, panicking, result.ScaleValid, result.DesiredPodCount, result.ExcessBurstCapacity,
		})
	}
}

func trace(parts ...[]float64) []float64 {
	var all []float64
	for _, part := range parts {
		all = append(all, part...)
	}
	return all
}

func level(value float64, seconds int) []float64 {
	part := make([]float64, seconds)
	for i := range part {
		part[i] = value
	}
	return part
}

func ramp(from, to float64, seconds int) []float64 {
	part := make([]float64, seconds)
	for i := range part {
		part[i] = from + (to-from)*float64(i)/float64(seconds)
	}
	return part
}

// noise is a small linear congruential generator, so that the trace is the same everywhere.
func noise(middle, spread float64, seconds int, seed uint32) []float64 {
	part := make([]float64, seconds)
	for i := range part {
		seed = seed*1664525 + 1013904223
		part[i] = middle + spread*(2*float64(seed>>8)/float64(1<<24)-1)
	}
	return part
}

func standard(name string, concurrency []float64) *caseOf {
	return &caseOf{
		Name: name, Target: 7, Total: 10, BurstCapacity: 211, MaxScaleUpRate: 1000, Window: 60, PanicWindow: 6,
		PanicThreshold: 2, Min: 0, Max: 100, Start: 1, StartSeconds: 3, Concurrency: concurrency,
	}
}

func main() {
	step := standard("step up and down", trace(level(0, 20), level(90, 100), level(0, 150)))
	gentle := standard("slow ramp without panic", trace(ramp(5, 60, 240), ramp(60, 0, 200)))
	gentle.Start = 2
	noisy := standard("noise around a level", trace(noise(40, 35, 300, 7), noise(12, 10, 120, 11)))
	silence := standard("silence in between", trace(level(30, 60), level(-1, 90), level(30, 40), level(-1, 10), level(20, 60)))
	rate := standard("scale-up rate of two", trace(level(400, 120), level(3, 200)))
	rate.MaxScaleUpRate, rate.StartSeconds = 2, 5
	delayed := standard("scale-down delay", trace(level(70, 90), level(7, 45), level(50, 30), level(0, 200)))
	delayed.ScaleDownDelay = 60
	activation := standard("activation scale", trace(level(0, 30), level(1, 90), level(0, 100)))
	activation.ActivationScale, activation.Start = 5, 0
	bounded := standard("bounds of min and max", trace(level(200, 120), level(0, 150)))
	bounded.Min, bounded.Max, bounded.Start = 4, 20, 4
	burst := standard("burst capacity of zero", trace(level(20, 60), level(80, 60), level(20, 120)))
	burst.BurstCapacity = 0
	always := standard("activator always in the path", trace(level(20, 60), level(80, 60)))
	always.BurstCapacity = -1
	full := standard("target met whole, short window", trace(level(64, 60), level(8, 60), level(0, 60), level(200, 40)))
	full.Target, full.Total, full.Window, full.PanicWindow, full.StartSeconds = 8, 8, 10, 1, 2
	warm := standard("started with many", trace(level(140, 40), level(70, 160)))
	warm.Start = 20
	spikes := standard("spikes of three seconds", trace(level(10, 60), level(300, 3), level(10, 57), level(300, 3), level(10, 120)))

	cases := []*caseOf{step, gentle, noisy, silence, rate, delayed, activation, bounded, burst, always, full, warm, spikes}
	for _, one := range cases {
		run(one)
	}
	encoder := json.NewEncoder(os.Stdout)
	if err := encoder.Encode(map[string]any{"autoscaler": "knative.dev/serving v0.42.2", "tick_seconds": tick, "cases": cases}); err != nil {
		panic(err)
	}
}
