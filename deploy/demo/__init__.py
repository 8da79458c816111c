"""The product's main job from end to end on this machine, told as a tutorial; see `make demo`."""
