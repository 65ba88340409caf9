// The program whose size tests/kernels/CMakeLists.txt checks: it is linked with whole archives.
int main() { return 0; }
