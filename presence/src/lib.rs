//! Pings in, stays and visits out: a pure function of what was heard and of the configuration in force.
