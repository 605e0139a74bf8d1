// outpost-bench-idle: a C++ program that does nothing, as the floor of `idle`.
#include <iostream>

#include <unistd.h>

int main() {
  std::cout << "idle" << std::endl;
  ::pause();
}
