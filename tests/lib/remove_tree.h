/* Removes a test's directory with all that is in it; no failure where there is none. */
#ifndef WEIR_TESTS_LIB_REMOVE_TREE_H
#define WEIR_TESTS_LIB_REMOVE_TREE_H

void remove_tree(const char *directory);

#endif
