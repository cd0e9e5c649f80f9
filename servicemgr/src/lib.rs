//! Starts, watches and stops the services of a device.
