"""One module a vendor: vendor payload to `DeviceSnapshot`."""
