//! Every target over the inputs that are kept, and over many that are made of them.

use std::{
    env, fs,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
};

use fuzz_targets::{TARGETS, Target, corpus, mutation};

/// How many mutations each target gets, unless [`MUTATIONS`] says otherwise.
const MUTATIONS_USUAL: u64 = 2_000;

/// Says how many mutations each target gets.
const MUTATIONS: &str = "REMUDA_FUZZ_MUTATIONS";

/// How large all kept inputs may be together: enough for each path once.
const CORPUS_BYTES_MAX: usize = 200 << 10;

/// How large one input may be.
const INPUT_BYTES_MAX: usize = 16 << 10;

macro_rules! tests {
    ($($name:ident)*) => {$(
        #[test]
        fn $name() {
            survives(stringify!($name));
        }
    )*};
}

fuzz_targets::each_target!(tests);

/// Runs the target over what is kept for it, and over mutations of that.
fn survives(name: &str) {
    let target = TARGETS.iter().find(|it| it.name == name).expect("the table has it");
    let kept = corpus::of(name);
    assert!(!kept.is_empty(), "nothing is kept for {name}");
    for input in &kept {
        run(target, &input.bytes, &input.name);
    }
    let inputs: Vec<Vec<u8>> = kept.into_iter().map(|input| input.bytes).collect();
    let words = corpus::words();
    for seed in 0..mutations() {
        run(
            target,
            &mutation::mutated(&inputs, &words, seed),
            &format!("mutation {seed}"),
        );
    }
}

fn run(target: &Target, input: &[u8], what: &str) {
    let survived = catch_unwind(AssertUnwindSafe(|| (target.run)(input)));
    if let Err(panic) = survived {
        eprintln!("{}: {what} is not survived: {}", target.name, input.escape_ascii());
        resume_unwind(panic);
    }
}

fn mutations() -> u64 {
    let number = |text: String| text.parse().expect("REMUDA_FUZZ_MUTATIONS is a number");
    env::var(MUTATIONS).map_or(MUTATIONS_USUAL, number)
}

#[test]
fn every_target_has_its_folder_and_its_program_and_no_other_has() {
    let mut names: Vec<String> = TARGETS.iter().map(|target| target.name.to_owned()).collect();
    names.sort_unstable();
    assert_eq!(listed("corpus", ""), names);
    assert_eq!(listed("fuzz_targets", ".rs"), names);
    let manifest = fs::read_to_string(corpus::home().join("Cargo.toml")).expect("the manifest is there");
    for name in names {
        assert!(
            manifest.contains(&format!("path = \"fuzz_targets/{name}.rs\"")),
            "{name} has no program"
        );
        let program = corpus::home().join(format!("fuzz_targets/{name}.rs"));
        let program = fs::read_to_string(program).expect("the program is there");
        assert!(
            program.contains(&format!("fuzz_targets::{name}(data)")),
            "{name}: {program}"
        );
    }
}

/// What is in a folder, by name without `ending`.
fn listed(folder: &str, ending: &str) -> Vec<String> {
    let entries = fs::read_dir(corpus::home().join(folder)).expect("the folder is there");
    let name = |it: fs::DirEntry| it.file_name().to_string_lossy().trim_end_matches(ending).to_owned();
    let mut names: Vec<String> = entries.flatten().map(name).collect();
    names.sort_unstable();
    names
}

#[test]
fn what_is_kept_is_small() {
    let inputs = || TARGETS.iter().flat_map(|target| corpus::of(target.name));
    let sum: usize = inputs().map(|input| input.bytes.len()).sum();
    assert!(sum <= CORPUS_BYTES_MAX, "{sum} bytes");
    for input in inputs() {
        let size = input.bytes.len();
        assert!(size <= INPUT_BYTES_MAX, "{}: {size} bytes", input.name);
    }
}
