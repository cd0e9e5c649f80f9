//! Receives, keeps and gives back every log line of a device.
