// Nothing: gives the precompiled headers (tests/CMakeLists.txt) a target to belong to.
