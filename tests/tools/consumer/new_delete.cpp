#include <hakmem/new_delete.hpp>
