"""Tables, curves and the HTML report."""
