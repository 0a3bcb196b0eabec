"""What software neurons pass to one another: the specification (intermediate representation), designs, source files."""
