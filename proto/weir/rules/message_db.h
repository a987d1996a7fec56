/* Message DB, the store that weir is compatible with, and a schema of which it can adopt. */
#ifndef WEIR_RULES_MESSAGE_DB_H
#define WEIR_RULES_MESSAGE_DB_H

#define WEIR_MESSAGE_DB_VERSION "1.3.0"

#endif
