// Never compiled: cmake/tidy.sh checks that clang-tidy objects to this file, so that a
// configuration which turned itself off cannot pass unnoticed.
struct bad_name {
  virtual ~bad_name() {}
  virtual int value() { return 0; }
};
struct Derived : bad_name {
  virtual int value() { return *static_cast<int*>(0); }
};
