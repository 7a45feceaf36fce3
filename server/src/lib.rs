//! Broker and API in one process: the program promenade.
