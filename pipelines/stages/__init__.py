"""One short module per DVC stage: read the parameters, call the library, write the outputs."""
