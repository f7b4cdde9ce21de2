/*
** luafabric.core: the C part that needs the C library alone. This file only puts the module together.
*/

#include "lua.h"
#include "lauxlib.h"
#include "equal.h"
#include "folder.h"
#include "json_slice.h"
#include "json_writer.h"
#include "location.h"
#include "lua_compat.h"
#include "run_model.h"
#include "run_request.h"
#include "secret_file.h"
#include "signals.h"
#include "siphash.h"
#include "spawn.h"
#include "system.h"
#include "time_formats.h"

LUAFABRIC_EXPORT int luaopen_luafabric_core (lua_State *L);

int luaopen_luafabric_core (lua_State *L) {
  lua_newtable(L);
  luafabric_json_writer_open(L);
  luafabric_json_slice_open(L);
  luafabric_run_model_open(L);
  luafabric_run_request_open(L);
  luafabric_location_open(L);
  luafabric_time_formats_open(L);
  luafabric_siphash_open(L);
  luafabric_equal_open(L);
  luafabric_folder_open(L);
  luafabric_system_open(L);
  luafabric_signals_open(L);
  luafabric_spawn_open(L);
  luafabric_secret_file_open(L);
  return 1;
}
