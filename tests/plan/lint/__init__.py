"""The lint: each trap has a unit that holds it and one that does not."""
