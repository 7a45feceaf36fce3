//! The agent beside the antenna: scan, spool, link.
