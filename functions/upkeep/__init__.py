"""The function `upkeep`: what runs by the clock, and the sink of dead letters."""
