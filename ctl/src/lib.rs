//! ensctl, the control tool on the device: a thin client of api.
