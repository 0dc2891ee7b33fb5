"""Teachers and students: loading, creating, inspecting and exporting them."""
