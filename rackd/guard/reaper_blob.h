/*
 * reaper_blob -- the reaper's program, which rackd carries: static, so that it
 * runs in a container that holds nothing else. The Makefile makes it from
 * images/reaper.
 */
#ifndef GUARD_REAPER_BLOB_H
#define GUARD_REAPER_BLOB_H

extern const unsigned char reaper_blob[], reaper_blob_end[];

/* A hash of it, for the image's tag. */
extern const char reaper_tag[];

#endif /* GUARD_REAPER_BLOB_H */
