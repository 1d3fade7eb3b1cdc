//! Names and hashes that are the same every time they are computed.
//!
//! A controller that tries again after a failure must not create a second object when the first one was
//! created after all. So names are not random: they follow from the owner, its revision and a counter, and a
//! second try meets the first one's object.

use serde::Serialize;

/// Letters and digits that make no words and are not mistaken for each other (apimachinery, `util/rand`).
const ALPHABET: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";

/// Longest name from which a suffix is made: a DNS label (apiserver, `storage/names`).
const NAME_LENGTH_MAX: usize = 63;

const SUFFIX_LENGTH: usize = 5;

/// FNV-1a with 32 bits.
pub(crate) fn fnv32(bytes: impl IntoIterator<Item = u8>) -> u32 {
    let step = |hash: u32, byte: u8| (hash ^ u32::from(byte)).wrapping_mul(16_777_619);
    bytes.into_iter().fold(2_166_136_261, step)
}

fn fnv64(bytes: impl IntoIterator<Item = u8>) -> u64 {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    bytes.into_iter().fold(0xcbf2_9ce4_8422_2325, step)
}

/// The hash that tells templates apart, as it appears in labels and names: like upstream's, a 32-bit FNV
/// whose decimal digits are spelled in the safe alphabet; unlike upstream's, of the JSON form, because Go's
/// printed form exists only in Go.
pub(crate) fn template_hash(template: &impl Serialize, collision_count: Option<i32>) -> String {
    let mut bytes = serde_json::to_vec(template).expect("Kubernetes types have string keys and no failing parts");
    if let Some(count) = collision_count.filter(|count| *count > 0) {
        bytes.extend(count.to_le_bytes());
    }
    let spell = |digit: u8| char::from(ALPHABET[usize::from(digit) % ALPHABET.len()]);
    fnv32(bytes).to_string().bytes().map(spell).collect()
}

/// The `nth` name below `base` (which ends in a dash) for an owner at a revision.
pub(crate) fn suffixed(base: &str, seed: &str, nth: u32) -> String {
    let mut hash = fnv64(seed.bytes().chain(nth.to_le_bytes()));
    // FNV mixes its last bytes little into the high bits; one more multiplication spreads them.
    hash = (hash ^ (hash >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
    let length = ALPHABET.len() as u64;
    let mut name: String = base.chars().take(NAME_LENGTH_MAX - SUFFIX_LENGTH).collect();
    for _ in 0..SUFFIX_LENGTH {
        name.push(char::from(ALPHABET[(hash % length) as usize]));
        hash /= length;
    }
    name
}

/// The first `count` names of an owner that are not taken.
pub(crate) fn free_names(base: &str, seed: &str, count: usize, taken: impl Fn(&str) -> bool) -> Vec<String> {
    let mut names = Vec::<String>::with_capacity(count);
    for nth in 0.. {
        if names.len() == count {
            break;
        }
        let name = suffixed(base, seed, nth);
        if !taken(&name) && !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn fnv_agrees_with_its_published_vectors() {
        for (text, hash) in [("", 0x811c_9dc5), ("a", 0xe40c_292c), ("foobar", 0xbf9c_f968)] {
            assert_eq!(fnv32(text.bytes()), hash, "{text}");
        }
    }

    #[test]
    fn a_template_hash_is_stable_safe_and_moves_with_collisions() {
        let template = json!({ "spec": { "containers": [{ "name": "web" }] } });
        let hash = template_hash(&template, None);
        assert_eq!(hash, template_hash(&template, None));
        assert_eq!(hash, template_hash(&template, Some(0)), "no collision is no collision");
        assert_ne!(hash, template_hash(&template, Some(1)));
        assert!(hash.bytes().all(|byte| ALPHABET.contains(&byte)), "{hash}");
    }

    #[test]
    fn names_repeat_for_the_same_seed_and_avoid_those_taken() {
        let first = free_names("web-", "uid/7", 3, |_| false);
        assert_eq!(first, free_names("web-", "uid/7", 3, |_| false));
        assert_ne!(first, free_names("web-", "uid/8", 3, |_| false));
        let second = free_names("web-", "uid/7", 3, |name| name == first[0]);
        assert_eq!(second[..2], first[1..]);
        assert!(suffixed(&"x".repeat(80), "s", 0).len() == NAME_LENGTH_MAX);
    }
}
