"""The mutations: each takes one guard or one repair away, and names the tests of which at least one must fail then.

(name, file, exact old text, new text, test program, filter). White space in the old text matches any white space, so
that a change of line breaks does not make a mutation disappear unnoticed: one that matches not exactly once is an error.
"""

RING = "include/shmq/core/mpmc_ring.hpp"
QUEUE = "src/objects/queue_object.cpp"
BLOCKS = "src/core/blocks.cpp"
REAPER = "src/core/reaper.cpp"
ROWS = "src/core/participants.cpp"
DIRECTORY = "src/core/directory.cpp"
FILES = "src/core/segment_files.cpp"
CONSUMER = "src/objects/consumer.cpp"
ATTACHMENT = "src/core/attachment.cpp"

MUTATIONS = [
    ("sweep_producer left out", QUEUE, "ring.sweep_producer(dead)", "(0u)",
     "kill_producer_test", "Claim.of_inline_room_is*"),
    ("sweep_consumer: READY not redelivered", RING,
     "if (seen == ready_word(position)) settle(index, seen, fate(index, seen), mended);", "(void)fate;",
     "kill_consumer_test", "Receive.of_a_fresh_message_is*"),
    ("sweep_consumer: TOMB not completed", RING,
     "if (seen == tomb_word(position)) settle(index, seen, Fate::complete, mended);", "",
     "kill_consumer_test", "Receive.over_tombs*"),
    ("sweep_consumer: READING not redelivered", RING,
     "if (layout::slot_state(seen) != layout::SlotState::reading || layout::owner_of(seen) != dead) continue;",
     "continue;", "kill_consumer_test", "Receive.of_a_redelivered_message_is*"),
    ("a redelivery that is not marked", RING, "count < layout::kDeliveriesMax ? count + 1 : count", "count",
     "kill_consumer_test", "GiveBack.of_a_message_delivers*"),
    ("no announcement after a sweep", QUEUE, "ring.announce_redelivery();", "",
     "kill_consumer_test:kill_reaper_test", "Release.of_an_inline_message_happens*:GiveBack.of_a_message_del*:*dead_messages*"),
    ("note() left out for producers", RING,
     "if (layout::owner_of(tail) != me.id) note(memory_.tail(), memory_.producer_trail(before(position)), tail);", "",
     "kill_reaper_test", "*dead_claims_between*"),
    ("note() left out for consumers", RING,
     "if (layout::owner_of(head) != me.id) note(memory_.head(), memory_.consumer_trail(before(position)), head);", "",
     "kill_reaper_test", "*dead_messages*:*dead_batch_of*"),
    ("one trail for head and tail", RING, "for_each_claimed(memory_.head(), &Memory::consumer_trail,",
     "for_each_claimed(memory_.head(), &Memory::producer_trail,", "kill_consumer_test:kill_reaper_test",
     "Receive.of_a_fresh_message_is*:*dead_messages*"),
    ("`seen` set though something was found", CONSUMER,
     "if (again.status == RingStatus::ok) {", "if (again.status == RingStatus::ok) { consumer.seen = sequence;",
     "kill_consumer_test:kill_reaper_test", "GiveBack.of_a_batch*:*dead_batch_of*"),
    ("sweep_blocks left out", REAPER, "repairs_.blocks += sweep_blocks(attachment_, dead);", "",
     "kill_producer_test", "Claim.of_a_block*"),
    ("half-done forwards not taken back", BLOCKS, "if (!half_forwarded) return ReferenceFate::passed_on;",
     "return ReferenceFate::passed_on;", "kill_forward_test", "Forward.of_a_block_hands*"),
    ("published forwards taken back", BLOCKS, "if (published) return ReferenceFate::passed_on;", "",
     "kill_forward_test", "Forward.of_a_block_hands*"),
    ("begin_release left out", CONSUMER, "const bool sound = begin_release(view, consumer.me, reference);",
     "const bool sound = true;", "kill_consumer_test", "Release.of_a_block*"),
    ("half-made objects not reclaimed", DIRECTORY,
     "if (!half_made && state != EntryState::reclaiming) return false;",
     "if (state != EntryState::reclaiming) return false;", "kill_directory_test", "Declare.of_a_queue_makes*"),
    ("half-reclaimed objects not reclaimed", DIRECTORY,
     "if (!half_made && state != EntryState::reclaiming) return false;", "if (!half_made) return false;",
     "kill_directory_test", "Remove.of_a_queue_with*"),
    ("user bits of the dead kept", REAPER,
     "if (users.load(std::memory_order_acquire) & bit) users.fetch_and(~bit, std::memory_order_seq_cst);", "",
     "kill_producer_test", "Claim.of_inline_room_is*"),
    ("a half-done removal not told to the users", REAPER,
     "if (directory.is_being_removed(space.entry)) operations->mark_removed(view_, space);", "",
     "kill_directory_test", "Remove.of_a_queue_in_use*"),
    ("a removed object is not looked at again", REAPER, "directory.reclaim_if_unused(entry);", "",
     "kill_directory_test", "Remove.*"),
    ("SWEPT rows never freed", REAPER, "if (state == RowState::swept) free_row(index, word);",
     "if (state == RowState::swept) continue;", "kill_reaper_test", "*dead_claim_may*"),
    ("no mark while sweeping", REAPER, "mine.sweeping.store(word, std::memory_order_seq_cst);", "",
     "kill_reaper_test", "*dead_claim_may*:*dead_messages*"),
    ("the mark not taken back", REAPER, "mine.sweeping.store(0, std::memory_order_seq_cst); free_row(index, swept);",
     "free_row(index, swept);", "kill_reaper_test", "*dead_claim_may*"),
    ("the row taken before its lock", ROWS, "!lock_.try_lock(index)) continue;", "false) continue;",
     "kill_attach_test", "Attach.is_undone*"),
    ("the spare row not taken over", ATTACHMENT, "&& !take_over_spare()", "", "kill_attach_test", "*full_of_the_dead*"),
    ("two entries of one name", DIRECTORY, "if (!another_has(name, entry)) return entry;", "return entry;",
     "kill_directory_test", "Declare.*"),
    ("temporaries not collected", FILES, "(void)collect_temporaries();", "",
     "kill_segment_test", "Create.*"),
    ("half-done removal of a segment not finished", FILES, "finish_removal(name, opened.mapping.file());", "",
     "kill_segment_test", "Remove.*"),
    ("sleepers not told of a removed segment", "src/objects/waiter.hpp",
     "if (attachment.view().removed()) core::mark_objects_removed(attachment.view());", "",
     "kill_segment_test", "Remove.*"),
    ("a wait that does not look for the dead", "src/objects/waiter.hpp", "attachment.reap_now_and_then(now_ns);", "",
     "kill_producer_test:kill_consumer_test", "Claim.of_inline_room_is*:Receive.of_a_fresh_message_is*"),
    ("head marked removed after tail", RING,
     "memory_.head().fetch_or(layout::kRingRemoved, std::memory_order_acq_rel); memory_.tail().fetch_or(layout::kRingClosed | layout::kRingRemoved, std::memory_order_acq_rel);",
     "memory_.tail().fetch_or(layout::kRingClosed | layout::kRingRemoved, std::memory_order_acq_rel); memory_.head().fetch_or(layout::kRingRemoved, std::memory_order_acq_rel);",
     "kill_directory_test", "Remove.of_a_queue_in_use*"),
]
