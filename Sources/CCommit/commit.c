/*
 * The commit that QUELL_COMMIT named when the package was built (Package.swift): a string in C,
 * because Swift's conditions carry no values. SwiftPM's own word for the commit is kept with the
 * manifest and goes stale; the environment is a part of what it is kept by.
 */

#include "CCommit.h"

const char *quell_commit(void) { return QUELL_COMMIT; }
