"""What runs as process 1 in the images that are no function's: migrations, PostgreSQL, Valkey.

Promises: needs no shell and no root; a read-only root file system is enough, with one writable folder for data and
/tmp; SIGTERM ends it cleanly; a password never stands on a command line or in a log.
"""
