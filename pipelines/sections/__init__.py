"""The parts of the report that are about one task, each read from the outputs of the stages."""
