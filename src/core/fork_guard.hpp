// The list of this process's attachments, for the child of a fork: it must not keep its parent's locks, or the parent
// would look alive after its death, and must not use its parent's rows.
#pragma once

namespace shmq::core {

class Attachment;

void guard_forks(Attachment& attachment);
void unguard_forks(Attachment& attachment);

}  // namespace shmq::core
