"""What remembering and comparing cost: many checks of a large fleet, made of the lab's recorded one."""
