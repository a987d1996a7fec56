/* The identity of files: whether a file that is open still has its name (sqlite_identity.c).
 *
 * The backend keeps its open sessions in lists, with the ids of the files that they have opened,
 * guarded by its sessions_mutex. Sessions in memory have no files and are in no list. */
#ifndef WEIR_STORE_SQLITE_IDENTITY_H
#define WEIR_STORE_SQLITE_IDENTITY_H

#include "weir/base/status.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Identifies a file, whatever its name. */
struct sqlite_file_id {
    dev_t device;
    ino_t inode;
};

struct sqlite_backend;
struct sqlite_session;

/* Gets the id of the file at a path; false, with errno, if that fails. */
bool weir_sqlite_file_id(const char *path, struct sqlite_file_id *id);

/* Returns whether the file at a path has this id; false if there is another file, or none. */
bool weir_sqlite_is_file(const char *path, struct sqlite_file_id id);

/* Returns whether a database may be opened: its names lead to the files that its open sessions
 * have, stale sessions excepted. Opening others would separate reads from writes, and SQLite would
 * remove a WAL that is not theirs when it closes them. */
bool weir_sqlite_identity_may_open(struct sqlite_backend *backend, const char *name);

/* Returns whether a session of the database is open, stale sessions excepted. */
bool weir_sqlite_identity_is_open(struct sqlite_backend *backend, const char *name);

/* Records the ids of the files of a session that has just been opened, and adds the session to its
 * list; false if the files have lost their names meanwhile. */
bool weir_sqlite_identity_enter(struct sqlite_session *session);

/* Takes a session off its list, if it has entered. */
void weir_sqlite_identity_leave(struct sqlite_session *session);

/* Marks the sessions of an earlier namespace of the same id as stale. To be called with what the
 * registry says of the namespace now; created_at_us is 0 if it is not listed. */
void weir_sqlite_identity_renew(struct sqlite_backend *backend, const char *name,
                                int64_t created_at_us);

/* Checks that the session's files still have their names: BACKEND_UNAVAILABLE if one has lost it,
 * which is reported to the operator once. Costs two system calls. */
weir_status weir_sqlite_identity_check(struct sqlite_session *session, struct weir_error *err);

#endif
