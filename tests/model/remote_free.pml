/* HAKMEM's protocol of remote free, as a model for spin: free, drain, release, re-carve, thread
 * exit, adoption, helping an owner that sleeps, fork, and the closing of a shared heap. The code is
 * src/hakmem/slab/remote.cpp, heap/remote_free.cpp, heap/adopt.cpp, heap/shared.cpp and
 * heap/registry.cpp; check_model.py runs this. state.pml: what there is; steps.pml: the atomic steps;
 * here: their order; scenarios.pml: who does how much, and what must hold in the end.
 *
 * Size: 2 slabs (descriptors), each with bitmap words 0 (objects 0 and 1) and 1 (object 2; only
 * slabs of heap 1 are made with it), 2 classes with a pending list each (slabs with word 1, and those
 * without), 2 heaps or 3, 3 threads with a bounded number of mallocs and frees each, in any order and
 * interleaving.
 *
 * What must hold, as assertions: no freed object is lost (none_lost), none is handed out twice
 * (take_from, collect), no slab is on two lists (push), adoption never races a drain (begin).
 *
 * What Promela has not, it being sequentially consistent, and how it is made up for:
 *
 * - The owner is the one word of the protocol that is read without being the holder of a lock nor
 *   by a read-modify-write. Its values are kept as a history, and a read returns any value not
 *   older than what the thread is known to have seen (`view`): what it read or wrote itself; the
 *   slab's birth, when it frees an object (the program handed it over properly); what the last
 *   holder of a door saw; and what those saw whose changes of the summary it takes over (the
 *   summary's acquire and release). Every other order that the hardware may keep is left out: reads
 *   in the model may be staler than real ones.
 * - summary, words, the count of pushes and the lists are changed by read-modify-writes only. These
 *   return the newest value whatever the memory order; what the orders add is that a freer's OR comes
 *   before its bit of the summary (release) and that a drainer's exchanges of words come after that of
 *   the summary (acquire): the order of the steps here.
 * - The link is written by who holds the slab in its hands, before the compare-and-swap that pushes
 *   it (release), and read after the exchange that takes the list (acquire): the newest value. It is
 *   read before the exchange of the summary (release); the next to write it has seen 0 there
 *   (acquire).
 * - Whoever looks whether something is pending reads the newest count and list: all of that is
 *   sequentially consistent. The count of what waits is one number here. The code subtracts what was
 *   drained from what was counted, and reads the latter later: the difference is never too small.
 * - What doors protect (local bitmaps, lists, `taken`) is plain memory.
 * - Hints are guesses here: a drain may stop at any moment (a bound; `pending` read too early), a
 *   freer may help any heap it pushed to (the owner looks idle), a free may take either the path of
 *   own objects or that of foreign ones (the region id read is old), a parked heap may be somebody's
 *   again when it is adopted from.
 *
 * A mutation, -DMUTATE_..., breaks the protocol on purpose, and must be found; each point that says
 * `here` must be reached. Else the model proves nothing.
 */

#include "state.pml"
#include "steps.pml"

/* `leaves`: its heap; `once`: whether it forks, or visits as the hand. */
proctype worker(byte me; byte home; byte mallocs; byte frees; bit leaves; bit once) while_alive {
  byte s, w, mask;    /* what is being freed: slab, word, objects */
  byte o, old;        /* owner and summary as read */
  byte c;             /* the list that it goes on, or comes from */
  byte h, doing;      /* whose lists are being drained, and why */
  byte d, m;          /* the slab being drained, and its summary */
  byte born;          /* the slab's birth, when it was found */
  bit inside;         /* frees while it holds its own door */
#if SCENARIO == CHAIN
  byte outer, outer_doing;  /* the drain that goes on after this one */
#endif
#ifdef MUTATE_PARK_AFTER_LOOK
  bit parks;
#endif

next:
  if
  /* malloc, slow door */
  :: atomic {
       home != 0 && mallocs > 0 && door[home] == 0 ->
       mallocs--; enter_door(home); h = home; doing = MALLOC; goto drain
     }
  /* free, the region id said "another's" */
  :: atomic {
       frees > 0 && some_live ->
       pick_live();
#ifndef MUTATE_OWNER_READ_AFTER_OR
       read_owner(s, o);
#endif
       goto free
     }
  /* free, the region id said "mine" when the object was cached: flush reads it anew, inside */
  :: atomic {
       home != 0 && frees > 0 && some_live && door[home] == 0 ->
       pick_live();
       enter_door(home);
#ifdef MUTATE_FLUSH_TRUSTS_REGION_ID
       o = home;
#else
       read_owner(s, o);
#endif
       inside = 1;
       if
       :: o == home ->
          begin(s);
          assert((bitmap[s * 2 + w] & mask) == 0);
          bitmap[s * 2 + w] = bitmap[s * 2 + w] | mask;
          release_if_empty(s);
          end(s);
          landed();
          freed();
          goto next
       :: else -> here(FOREIGN_MINE); goto free
       fi
     }
#if SCENARIO == ADOPT || SCENARIO == PARK || SCENARIO == CHAIN
  /* thread exit, and a new thread */
  :: atomic {
       leaves && home != 0 && door[home] == 0 ->
       leaves = 0; enter_door(home); h = home; doing = LEAVE; goto drain
     }
  :: atomic { mallocs > 0 && home == 0 && parked[1] == 1 ->
              parked[1] = 2; home = 1; here(TAKEN_WHOLE); goto next }
  /* the hand of the round passes by */
  :: atomic { once && door[1] == 0 -> once = 0; enter_door(1) }
     atomic {
       leave_door(1);
#ifdef MUTATE_HAND_NEVER_LOOKS
       goto next
#else
       h = 1; goto look_again
#endif
     }
#endif
#if SCENARIO == CLOSE
  /* nobody uses the heap nor its objects any more: what the program has of it goes, too */
  :: atomic {
       leaves && door[home] == 0 && !in_use(0) && !in_use(1) ->
       leaves = 0; mallocs = 0;
       give_up(0); give_up(1);
       enter_door(home); h = home; doing = LEAVE; goto drain
     }
#endif
#if SCENARIO == FORK
  :: atomic { once && door[1] == 0 -> once = 0; enter_door(1) }
     atomic { door[2] == 0 -> enter_door(2) }
     if
     :: atomic { fork_child() }
     :: 1  /* the parent */
     fi;
     atomic { leave_door(1); leave_door(2); goto next }
#endif
  :: atomic {
       (mallocs == 0 || home == 0) && (frees == 0 || !some_live) && !leaves ->
       goto done
     }
  fi;

free:
#ifdef MUTATE_SUMMARY_BEFORE_OR
  atomic { or_summary() }
  atomic { or_words() }
#else
  atomic { or_words() }
#ifdef MUTATE_OWNER_READ_AFTER_OR
  atomic { read_owner(s, o) }
#endif
  atomic { or_summary() }
#endif
#ifdef MUTATE_PUSH_ALWAYS
  old = 0;
#endif
  atomic {
    if
    :: old != 0 -> freed(); goto next
    :: else -> count(o)
    fi
  }
  atomic { push(s, o, c); landed() }
  atomic {
#if SCENARIO == ADOPT || SCENARIO == PARK || SCENARIO == CHAIN
    /* Once more the owner: has the heap lost the slab meanwhile? */
    h = o;
#ifdef MUTATE_STALE_REREAD
    read_owner(s, o);
#else
    seen(s) = newest[s];  /* behind a fence */
    o = owner_now(s);
#endif
#ifdef MUTATE_NO_REREAD
    o = h;
#endif
#ifdef MUTATE_COUNT_LAST
    if :: o == h || door[h] != 0 -> goto count_last :: else -> waiting[h]++ fi;
#endif
    if
    :: o != h && door[h] == 0 -> here(LATE_PUSH); enter_door(h); doing = VISIT; goto drain
    :: else -> h = 0; freed(); goto next
    fi
#elif SCENARIO == HELP
    /* The owner looks idle, or not. */
    if
    :: door[o] == 0 -> h = o; enter_door(h); doing = VISIT; goto drain
    :: freed(); goto next
    fi
#else
    freed(); goto next
#endif
  }

#ifdef MUTATE_COUNT_LAST
count_last:
  atomic { waiting[h]++; h = 0; freed(); goto next }
#endif

drain:
  do
  /* Enough for this visit, or `pending` was read too early. Only the owner may leave some, and whole
   * lists, and so passes over those of other classes. */
  :: doing == MALLOC || waiting[h] == 0 || (!any_taken(h) && !any_pending(h)) -> goto drained
  :: atomic { taken[list(h, 0)] == 0 && pending[list(h, 0)] != 0 -> take_list(list(h, 0)) }
  :: atomic {
       taken[list(h, 1)] == 0 && pending[list(h, 1)] != 0 &&
       (doing == MALLOC || pending[list(h, 0)] == 0 || taken[list(h, 0)] != 0) ->
       take_list(list(h, 1))
     }
  :: atomic {
       any_taken(h) ->
       take_off(h);
       if :: link[d] != 0 -> here(TWO_LISTED) :: else fi;
#ifndef MUTATE_LINK_READ_LATE
       taken[list(h, c)] = link[d]
#endif
     }
#ifdef MUTATE_DRAIN_READS_OWNER_FIRST
     atomic { read_owner(d, o) }
#endif
     atomic { change_summary(d, m, 0) }
     atomic {
#ifdef MUTATE_LINK_READ_LATE
       taken[list(h, c)] = link[d];
#endif
#ifndef MUTATE_DRAIN_READS_OWNER_FIRST
       read_owner(d, o);
#endif
#ifdef MUTATE_COLLECT_NOT_OWNED
       if :: o != 0 -> o = h :: else fi;
#endif
       if
       :: o == h -> begin(d)
       :: o == 0 -> here(DROPPED); c = 0; d = 0; m = 0; goto drain
       :: else ->
#ifdef MUTATE_NO_FORWARD
          c = 0; d = 0; m = 0; o = 0; goto drain
#else
          goto forward
#endif
       fi
     }
     atomic { collect(d, 0) }
     atomic {
       collect(d, 1);
       if :: doing == VISIT -> here(HELPED) :: else fi;
       release_if_empty(d);
       end(d);
       c = 0; d = 0; m = 0; o = 0
     }
  od;

forward:
  atomic { change_summary(d, old, summary[d] | m) }
  atomic {
#ifdef MUTATE_FORWARD_WITHOUT_PUSH
    old = 1;
#endif
    if
    :: old == 0 -> here(FORWARDED); waiting[o]++
    :: else -> here(MERGED); c = 0; d = 0; m = 0; o = 0; old = 0; goto drain
    fi
  }
  atomic {
    push(d, o, c);
#if SCENARIO == CHAIN
    goto passed
#else
    c = 0; d = 0; m = 0; o = 0; old = 0;
    goto drain
#endif
  }

#if SCENARIO == CHAIN
passed:
  /* As in free, once more the owner. */
  atomic {
    old = o;
    seen(d) = newest[d];
    o = owner_now(d);
#ifdef MUTATE_PASS_WITHOUT_REREAD
    o = old;
#endif
    c = 0; d = 0; m = 0;
    if
    :: o != old && door[old] == 0 ->
       here(LATE_PASSED);
       assert(outer == 0);
       outer = h; outer_doing = doing;
       h = old; enter_door(h); doing = PASS
    :: else
    fi;
    o = 0; old = 0;
    goto drain
  }
#endif

drained:
  atomic {
    if
    :: doing == VISIT || doing == PASS -> leave_door(h); goto look_again
    :: doing == LEAVE ->
#if SCENARIO == CLOSE
       if :: owner_now(0) == home -> close(0) :: else fi;
       if :: owner_now(1) == home -> close(1) :: else fi;
       leave_door(home);
#else
       if :: owner_now(0) == home -> release_if_empty(0) :: else fi;
       if :: owner_now(1) == home -> release_if_empty(1) :: else fi;
       /* The flag is set under the door, before the look: who finds the door of a heap that is not
        * parked may rely on its thread. */
       leave_door(home);
#ifdef MUTATE_PARK_AFTER_LOOK
       parks = 1;
#else
       parked[home] = 1;
       home = 0;
#endif
#endif
       goto look_again
    :: doing == TAKE ->
       if
       :: gives(0, h) -> adopt(0); take_from(0)
       :: gives(1, h) -> adopt(1); take_from(1)
       :: 1
       fi;
#ifndef MUTATE_ADOPT_WITHOUT_DOOR
       leave_door(h);
#endif
       leave_door(home);
       goto look_again
    :: doing == MALLOC ->
       if
       :: gives(0, home) -> take_from(0); leave_door(home)
       :: gives(1, home) -> take_from(1); leave_door(home)
       :: owner_now(0) == 0 -> carve(0); take_from(0); leave_door(home)
       :: owner_now(1) == 0 -> carve(1); take_from(1); leave_door(home)
       :: leave_door(home)  /* needs no more, or found no memory */
#ifdef MUTATE_ADOPT_WITHOUT_DOOR
       :: parked[3 - home] -> h = 3 - home; doing = TAKE; goto drained
#else
       :: may_adopt_from(1) -> h = 1; enter_door(h); doing = TAKE; goto drain
       :: may_adopt_from(2) -> h = 2; enter_door(h); doing = TAKE; goto drain
#endif
       fi
    fi;
    h = 0;
    doing = 0;
    goto next
  }

look_again:
  /* Who leaves the door of a heap that has no thread looks, behind a fence, whether somebody pushed
   * meanwhile who found the door shut: at the count, at each list, and tries the door. */
#ifndef MUTATE_NO_SECOND_LOOK
#if SCENARIO != CLOSE  /* a shared heap has none */
  atomic { if :: parked[h] != 1 -> here(PASSED); goto looked :: else fi }
#endif
  atomic { if :: waiting[h] == 0 -> goto looked :: else fi }
  atomic { if :: pending[list(h, 0)] != 0 -> goto try_door :: else fi }
  atomic { if :: pending[list(h, 1)] == 0 -> goto looked :: else fi }
try_door:
  atomic {
    if
    :: door[h] == 0 ->
       enter_door(h);
       if :: doing != PASS -> doing = VISIT :: else fi;
       goto drain
    :: else
    fi
  }
looked:
#endif
  atomic {
#ifdef MUTATE_PARK_AFTER_LOOK
    if :: parks -> parks = 0; parked[home] = 1; home = 0 :: else fi;
#endif
#if SCENARIO == CHAIN
    if
    :: doing == PASS -> h = outer; doing = outer_doing; outer = 0; outer_doing = 0; goto drain
    :: else
    fi;
#endif
    doing = 0;
    h = 0;
    freed();
    goto next
  }

done:
  atomic {
    home = 0; frees = 0; once = 0;
    seen(0) = 0; seen(1) = 0;
    running = (forked -> 0 : running - 1)
  }
}

#include "scenarios.pml"
