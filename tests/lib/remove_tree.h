/* Removes a test's directory with its contents. A missing directory is not an error. */
#ifndef WEIR_TESTS_LIB_REMOVE_TREE_H
#define WEIR_TESTS_LIB_REMOVE_TREE_H

void remove_tree(const char *directory);

#endif
