"""The parts of the tournament. `cli` is the way in; `mutations` is what a case is drawn from."""
