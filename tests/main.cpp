// The main function of every test program is CAF's.
#include <caf/test/unit_test_impl.hpp>
