"""The bundled demo model, the recipe that trains it, and the sample collection that shows it."""
