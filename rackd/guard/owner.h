/*
 * owner -- which rackd made an object, and whether that one still lives.
 *
 * Every object carries the label cvx.owner=OWNER. An owner is
 *
 *     UID.MACHINE.PIDS.BOOT.PID.START
 *
 * user; a hash of /etc/machine-id (or "-"); the pid namespace's number; the
 * kernel's boot id; process and its start time in clock ticks since the boot.
 * A pid alone would be somebody else's after a while, and a shared engine has
 * racks of other machines, other users and other containers, of which nobody
 * here can say whether they live.
 */
#ifndef GUARD_OWNER_H
#define GUARD_OWNER_H

enum owner_verdict {
    OWNER_SELF,
    OWNER_ALIVE,
    OWNER_DEAD,    /* it ran here, as this user, and does not run any more */
    OWNER_UNKNOWN, /* not ours to judge */
};

/* This process as an owner; the caller frees it. */
char *owner_self(void);

/* `self` is owner_self(); `owner` what a label says, "" when there is none. */
enum owner_verdict owner_judge(const char *self, const char *owner);

/* "rackd 1234" or "a rackd", for messages; the caller frees it. */
char *owner_words(const char *owner);

#endif /* GUARD_OWNER_H */
