"""A model's linear read-outs refitted to a device: measured, stored, used."""
