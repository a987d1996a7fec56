#include "weir/rules/hex.h"

#define OF_SIXTEEN(d) \
    d "0" d "1" d "2" d "3" d "4" d "5" d "6" d "7" d "8" d "9" d "a" d "b" d "c" d "d" d "e" d "f"
const char weir_hex_pairs[] =
    OF_SIXTEEN("0") OF_SIXTEEN("1") OF_SIXTEEN("2") OF_SIXTEEN("3") OF_SIXTEEN("4") OF_SIXTEEN("5")
        OF_SIXTEEN("6") OF_SIXTEEN("7") OF_SIXTEEN("8") OF_SIXTEEN("9") OF_SIXTEEN("a")
            OF_SIXTEEN("b") OF_SIXTEEN("c") OF_SIXTEEN("d") OF_SIXTEEN("e") OF_SIXTEEN("f");
