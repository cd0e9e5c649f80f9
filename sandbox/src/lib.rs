//! What a service may do: policy as data, applied by sys.
