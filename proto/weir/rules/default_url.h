/* The URL on which a server listens and to which a client connects by default. */
#ifndef WEIR_RULES_DEFAULT_URL_H
#define WEIR_RULES_DEFAULT_URL_H

#define WEIR_DEFAULT_URL "tcp://127.0.0.1:7117"

#endif
