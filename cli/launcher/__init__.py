"""`easel up`: all of Easel on one machine, as processes that are started, watched, restarted and stopped together."""
