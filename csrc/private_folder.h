/*
** Folders that only their owner can get into.
*/
#if !defined(luafabric_private_folder_h)
#define luafabric_private_folder_h

#include "lua.h"

/* pushes the name of the folder that `path` is in, "." where the path names none */
const char *private_folder_of (lua_State *L, const char *path);

/* makes the folder and those above it, where they are missing, for this user alone; 0 or errno */
int private_folder_make (lua_State *L, const char *path);

/* puts the names in it on the disk; no error: it may not be ours to open */
void private_folder_sync (const char *path);

#endif
