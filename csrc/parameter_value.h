/*
** A parameter's value, checked against its type and written. Implemented in parameter_value.c.
*/
#if !defined(luafabric_parameter_value_h)
#define luafabric_parameter_value_h

#include "json_writer.h"

/* 1 when `text` is "$(/ ** /library/variable)", without the blanks */
int luafabric_is_variable_reference (const char *text, size_t length);

/*
** Writes the value on top of the stack as Fabric takes it for the type below it; 0 after pushing a
** message. *warning becomes a sentence, or stays NULL.
*/
int luafabric_write_parameter_value (lua_State *L, json_writer *writer, const json_path *path,
                                     const char **warning);

#endif
