"""What software neurons pass to one another: the specification (an intermediate representation), the designs and the source tree."""
