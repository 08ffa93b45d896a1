#pragma once

namespace hostile {

/// Whether a shared mapping that begins here has forbidden addresses on both sides (guard_mmap.cpp).
bool is_guarded(const void* address);

}  // namespace hostile
