//! PID 1 and stage-0: mounts, parent of every process, last to leave.
