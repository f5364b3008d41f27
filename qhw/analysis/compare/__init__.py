"""Is a device's outcome close to exact? Of models and of own circuits."""
