//! The order of the rules.

use std::path::{Path, PathBuf};

use super::dockerfile::{Command, Dockerfile, Stage, join};
use super::filesystem::{Origin, View};
use super::toolchain;
use super::tree::{Host, Tree};
use super::{BuildStep, Resolution, Step, Unresolved};

/// The annotation that says what to run; `flyball.dev/run.CONTAINER` says it for one container.
pub const ANNOTATION_RUN: &str = "flyball.dev/run";

/// The annotation that says in which folder, relative to the tree.
pub const ANNOTATION_DIRECTORY: &str = "flyball.dev/directory";

/// The annotation that names the Dockerfile, relative to the tree.
pub const ANNOTATION_DOCKERFILE: &str = "flyball.dev/dockerfile";

/// Programs that images of these names run; the image's name first, the program and its arguments after.
const WELL_KNOWN: [(&str, &[&str]); 12] = [
    (
        "redis",
        &["redis-server", "--bind", "0.0.0.0", "--protected-mode", "no"],
    ),
    (
        "valkey",
        &["valkey-server", "--bind", "0.0.0.0", "--protected-mode", "no"],
    ),
    ("nats", &["nats-server"]),
    ("etcd", &["etcd"]),
    ("nginx", &["nginx", "-g", "daemon off;"]),
    ("memcached", &["memcached"]),
    ("prometheus", &["prometheus"]),
    ("python", &["python3"]),
    ("node", &["node"]),
    ("busybox", &["sh"]),
    ("alpine", &["sh"]),
    ("debian", &["bash"]),
];

/// What a container asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Request {
    /// The container's name.
    pub container: String,
    /// The image.
    pub image: String,
    /// `command`; empty when not given.
    pub command: Vec<String>,
    /// `args`; empty when not given.
    pub arguments: Vec<String>,
    /// `workingDir`.
    pub working_directory: Option<String>,
    /// The Pod's annotations.
    pub annotations: std::collections::BTreeMap<String, String>,
}

impl Request {
    /// The last part of the image's name, without tag and digest.
    #[must_use]
    pub fn short_name(&self) -> &str {
        let without_digest = self.image.split('@').next().unwrap_or_default();
        let last = without_digest.rsplit('/').next().unwrap_or_default();
        last.split(':').next().unwrap_or_default()
    }

    fn annotation(&self, name: &str) -> Option<&str> {
        let own = self.annotations.get(&format!("{name}.{}", self.container));
        own.or_else(|| self.annotations.get(name))
            .map(String::as_str)
            .filter(|text| !text.trim().is_empty())
    }
}

/// Finds the command of a container.
///
/// # Errors
/// [`Unresolved`] with what to add.
pub fn resolve(request: &Request, tree: &dyn Tree, host: &dyn Host) -> Result<Resolution, Unresolved> {
    let mut search = Search {
        request,
        tree,
        host,
        why: Vec::new(),
    };
    let found = search
        .by_annotation()
        .or_else(|| search.by_command())
        .or_else(|| search.by_dockerfile())
        .or_else(|| search.by_folder())
        .or_else(|| search.by_host());
    match found {
        Some(mut resolution) => {
            search.why.append(&mut resolution.why);
            resolution.why = search.why;
            Ok(resolution)
        }
        None => Err(search.unresolved()),
    }
}

struct Search<'a> {
    request: &'a Request,
    tree: &'a dyn Tree,
    host: &'a dyn Host,
    why: Vec<Step>,
}

impl Search<'_> {
    fn note(&mut self, rule: &'static str, found: impl Into<String>) {
        self.why.push(Step {
            rule,
            found: found.into(),
        });
    }

    fn by_annotation(&mut self) -> Option<Resolution> {
        let Some(line) = self.request.annotation(ANNOTATION_RUN) else {
            self.note("annotation", format!("{ANNOTATION_RUN} is not set"));
            return None;
        };
        let directory = self.request.annotation(ANNOTATION_DIRECTORY);
        let directory = directory.map_or_else(
            || self.tree.root().to_owned(),
            |relative| self.tree.root().join(relative),
        );
        self.note("annotation", format!("{ANNOTATION_RUN} says: {line}"));
        Some(plain(
            vec!["/bin/sh".into(), "-c".into(), line.to_owned()],
            Some(directory),
        ))
    }

    /// `command` when its program is here; an image's own program may be named, which the Dockerfile explains.
    fn by_command(&mut self) -> Option<Resolution> {
        let program = self.request.command.first()?;
        let argv = self.request.command.iter().chain(&self.request.arguments).cloned();
        if self.host.program(program).is_some() {
            self.note("command", format!("{program} is a program of this machine"));
            return Some(plain(argv.collect(), self.host_directory()));
        }
        let relative = self.tree.root().join(program.trim_start_matches("./"));
        if !program.starts_with('/') && self.tree.exists(&relative) {
            self.note("command", format!("{program} is in the tree"));
            let mut argv: Vec<String> = argv.collect();
            argv[0] = relative.to_string_lossy().into_owned();
            return Some(plain(argv, self.host_directory()));
        }
        self.note("command", format!("{program} is neither on PATH nor in the tree"));
        None
    }

    /// `workingDir` where such a folder exists here.
    fn host_directory(&self) -> Option<PathBuf> {
        let path = PathBuf::from(self.request.working_directory.as_ref()?);
        self.tree.exists(&path).then_some(path)
    }

    fn by_dockerfile(&mut self) -> Option<Resolution> {
        let Some(path) = self.dockerfile() else {
            let name = self.request.short_name();
            self.note(
                "dockerfile",
                format!("no folder named {name} has a Dockerfile, and none is named {name}"),
            );
            return None;
        };
        let file = Dockerfile::parse(&self.tree.read(&path)?);
        let shown = path
            .strip_prefix(self.tree.root())
            .unwrap_or(&path)
            .display()
            .to_string();
        let Some(stage) = file.stages.last() else {
            self.note("dockerfile", format!("{shown} has no stage"));
            return None;
        };
        let argv = self.image_argv(stage);
        if argv.is_empty() {
            self.note("dockerfile", format!("{shown} has neither ENTRYPOINT nor CMD"));
            return None;
        }
        self.note("dockerfile", format!("{shown} runs {}", argv.join(" ")));
        let folder = path.parent().unwrap_or(self.tree.root());
        let contexts = folder
            .ancestors()
            .take_while(|folder| folder.starts_with(self.tree.root()));
        let view = View {
            file: &file,
            tree: self.tree,
            contexts: contexts.map(Path::to_owned).collect(),
        };
        self.run_of_image(&view, stage, argv, folder)
    }

    /// The Dockerfile that builds the image: the one that is named, the one in the folder of the image's name, or
    /// `NAME.Dockerfile`, `Dockerfile.NAME`.
    fn dockerfile(&self) -> Option<PathBuf> {
        if let Some(named) = self.request.annotation(ANNOTATION_DOCKERFILE) {
            return Some(self.tree.root().join(named));
        }
        let name = self.request.short_name();
        let is_name = |file: &str| file == format!("{name}.Dockerfile") || file == format!("Dockerfile.{name}");
        let in_folder = |path: &PathBuf| {
            path.parent()
                .and_then(Path::file_name)
                .and_then(|folder| folder.to_str())
                == Some(name)
        };
        let files = self
            .tree
            .find(&|file| matches!(file, "Dockerfile" | "Containerfile") || is_name(file));
        let of_name = |path: &&PathBuf| path.file_name().and_then(|file| file.to_str()).is_some_and(is_name);
        files
            .iter()
            .find(|path| in_folder(path))
            .or_else(|| files.iter().find(of_name))
            .cloned()
    }

    /// What the image would run, with the container's `command` and `args` in their places.
    fn image_argv(&self, stage: &Stage) -> Vec<String> {
        let words = |command: &Command| match command {
            Command::Exec(words) => words.clone(),
            Command::Shell(line) => ["/bin/sh", "-c", line].map(str::to_owned).into(),
        };
        let Request { command, arguments, .. } = self.request;
        if !command.is_empty() {
            return command.iter().chain(arguments).cloned().collect();
        }
        let mut argv = stage.entrypoint.as_ref().map(words).unwrap_or_default();
        // The shell form of ENTRYPOINT takes no arguments.
        if !matches!(stage.entrypoint, Some(Command::Shell(_))) {
            if arguments.is_empty() {
                argv.extend(stage.command.as_ref().map(words).unwrap_or_default());
            } else {
                argv.extend(arguments.iter().cloned());
            }
        }
        argv
    }

    fn run_of_image(
        &mut self,
        view: &View<'_>,
        stage: &Stage,
        mut argv: Vec<String>,
        folder: &Path,
    ) -> Option<Resolution> {
        let inside = self
            .request
            .working_directory
            .clone()
            .unwrap_or_else(|| stage.working_directory.clone());
        let (program, build) = self.program_of(view, stage, &argv[0], &inside, folder)?;
        argv[0] = program;
        for argument in argv.iter_mut().skip(1) {
            self.translate(view, stage, argument);
        }
        let working_directory = match view.origin(stage, &inside) {
            Some(Origin::Tree(path)) => Some(path),
            _ => None,
        };
        Some(Resolution {
            argv,
            environment: stage.environment.clone(),
            working_directory,
            build,
            why: Vec::new(),
        })
    }

    /// An argument that is a path of the image becomes the path of the file that was copied there.
    fn translate(&mut self, view: &View<'_>, stage: &Stage, argument: &mut String) {
        if !argument.starts_with('/') || self.tree.exists(Path::new(argument.as_str())) {
            return;
        }
        if let Some(Origin::Tree(path)) = view.origin(stage, argument) {
            self.note("dockerfile", format!("{argument} is {} of the tree", path.display()));
            *argument = path.to_string_lossy().into_owned();
        }
    }

    /// The program that an image's first word is here, and the build that makes it.
    fn program_of(
        &mut self,
        view: &View<'_>,
        stage: &Stage,
        word: &str,
        inside: &str,
        folder: &Path,
    ) -> Option<(String, Option<BuildStep>)> {
        let candidates: Vec<String> = if word.contains('/') {
            vec![join(inside, word)]
        } else {
            // A bare name is looked for where images keep their programs.
            ["/usr/local/bin", "/usr/bin", "/bin", "/app", inside]
                .map(|place| join(place, word))
                .into()
        };
        for path in &candidates {
            match view.origin(stage, path) {
                Some(Origin::Tree(found)) => {
                    self.note("dockerfile", format!("{path} is {} of the tree", found.display()));
                    return Some((found.to_string_lossy().into_owned(), None));
                }
                Some(Origin::Cargo { binary, flags }) => {
                    let Some(target) = toolchain::find_cargo(self.tree, &binary, Some(folder)) else {
                        self.note("dockerfile", format!("no cargo package of the tree makes {binary}"));
                        continue;
                    };
                    let (build, program) = toolchain::cargo(&target, &flags, self.host);
                    self.note("dockerfile", format!("{path} is made by {}", build.argv.join(" ")));
                    return Some((program.to_string_lossy().into_owned(), Some(build)));
                }
                Some(Origin::Go { package, directory }) => {
                    let name = self.request.short_name();
                    let (build, program) = toolchain::go(&package, &directory, name, self.tree.root());
                    self.note("dockerfile", format!("{path} is made by {}", build.argv.join(" ")));
                    return Some((program.to_string_lossy().into_owned(), Some(build)));
                }
                None => {}
            }
        }
        let name = word.rsplit('/').next().unwrap_or(word);
        if self.host.program(word).or_else(|| self.host.program(name)).is_some() {
            self.note("dockerfile", format!("{name} is a program of this machine"));
            let program = if self.host.program(word).is_some() { word } else { name };
            return Some((program.to_owned(), None));
        }
        self.note("dockerfile", format!("it is not known where {word} comes from"));
        None
    }

    fn by_folder(&mut self) -> Option<Resolution> {
        let name = self.request.short_name();
        let markers = self.tree.find(&|file| {
            matches!(
                file,
                "Cargo.toml" | "go.mod" | "main.go" | "package.json" | "main.py" | "app.py" | "server.py"
            )
        });
        let folders = markers.iter().filter_map(|path| path.parent());
        let named = folders
            .clone()
            .find(|folder| folder.file_name().and_then(|own| own.to_str()) == Some(name));
        let guessed = named
            .and_then(|folder| toolchain::guess(self.tree, self.host, folder, name))
            .or_else(|| {
                let target = toolchain::find_cargo(self.tree, name, None)?;
                let (build, program) = toolchain::cargo(&target, &[], self.host);
                let why = vec![Step {
                    rule: "folder",
                    found: format!("a cargo package of the tree makes {name}"),
                }];
                Some(Resolution {
                    build: Some(build),
                    why,
                    ..plain(vec![program.to_string_lossy().into_owned()], None)
                })
            });
        match guessed {
            Some(mut resolution) => {
                resolution.argv.extend(self.request.arguments.iter().cloned());
                Some(resolution)
            }
            None => {
                self.note(
                    "folder",
                    format!("no folder named {name} holds a program that is known how to run"),
                );
                None
            }
        }
    }

    fn by_host(&mut self) -> Option<Resolution> {
        let name = self.request.short_name();
        let known = WELL_KNOWN
            .iter()
            .find(|(image, _)| *image == name)
            .map(|(_, argv)| *argv);
        let argv = known.unwrap_or(std::slice::from_ref(&name));
        let Some(_) = self.host.program(argv[0]) else {
            self.note("host", format!("this machine has no program {}", argv[0]));
            return None;
        };
        self.note("host", format!("{} is a program of this machine", argv[0]));
        let mut argv: Vec<String> = argv.iter().map(|word| (*word).to_owned()).collect();
        argv.extend(self.request.arguments.iter().cloned());
        Some(plain(argv, None))
    }

    fn unresolved(self) -> Unresolved {
        let name = self.request.short_name();
        Unresolved {
            image: self.request.image.clone(),
            advice: format!(
                "add the annotation {ANNOTATION_RUN} with the command to the Pod template, or a folder named {name} \
                 with a Dockerfile or a program"
            ),
            why: self.why,
        }
    }
}

fn plain(argv: Vec<String>, working_directory: Option<PathBuf>) -> Resolution {
    Resolution {
        argv,
        environment: Vec::new(),
        working_directory,
        build: None,
        why: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tree::TextTree;
    use super::*;

    struct Programs(&'static [&'static str]);

    impl Host for Programs {
        fn program(&self, name: &str) -> Option<PathBuf> {
            self.0
                .contains(&name)
                .then(|| PathBuf::from(format!("/usr/bin/{name}")))
        }

        fn cargo_target_directory(&self) -> Option<PathBuf> {
            None
        }
    }

    fn request(image: &str) -> Request {
        Request {
            container: "web".into(),
            image: image.into(),
            ..Request::default()
        }
    }

    #[track_caller]
    fn check(
        request: &Request,
        files: &[(&'static str, &'static str)],
        argv: &[&str],
        build: Option<(&[&str], &str)>,
    ) -> Resolution {
        let tree = TextTree(files.to_vec());
        let host = Programs(&["python3", "node", "sh", "/bin/sh", "redis-server"]);
        let found = resolve(request, &tree, &host).unwrap();
        assert_eq!(found.argv, argv, "{:#?}", found.why);
        let found_build = found.build.as_ref();
        let expect = build.map(|(argv, folder)| {
            (
                argv.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>(),
                PathBuf::from(folder),
            )
        });
        assert_eq!(
            found_build.map(|step| (step.argv.clone(), step.working_directory.clone())),
            expect
        );
        found
    }

    const RUST_DOCKERFILE: &str = "FROM rust:1.95 AS build\nWORKDIR /src\nCOPY . .\nRUN cargo build --release -p price\n\
        FROM debian:bookworm-slim\nCOPY --from=build /src/target/release/price /usr/local/bin/price\n\
        ENV LISTEN=0.0.0.0:8080\nWORKDIR /tmp\nENTRYPOINT [\"/usr/local/bin/price\"]\n";

    #[test]
    fn a_copied_cargo_binary_is_built_from_the_tree() {
        let files = [
            ("Cargo.toml", "[workspace]\nmembers = [\"shop/price\"]\n"),
            ("shop/price/Cargo.toml", "[package]\nname = \"price\"\n"),
            ("shop/price/Dockerfile", RUST_DOCKERFILE),
        ];
        let build: &[&str] = &["cargo", "build", "--release", "-p", "price"];
        let found = check(
            &request("checkout/price:1.0.0"),
            &files,
            &["/tree/target/release/price"],
            Some((build, "/tree")),
        );
        assert_eq!(found.environment, [("LISTEN".to_owned(), "0.0.0.0:8080".to_owned())]);
        assert_eq!(found.working_directory, None);

        let mut with_arguments = request("registry:5000/checkout/price@sha256:00");
        with_arguments.arguments = vec!["--fast".into()];
        check(
            &with_arguments,
            &files,
            &["/tree/target/release/price", "--fast"],
            Some((build, "/tree")),
        );
    }

    #[test]
    fn scripts_run_where_they_were_copied_from() {
        let files = [
            (
                "api/Dockerfile",
                "FROM python:3\nWORKDIR /app\nCOPY . .\nCMD [\"python3\", \"/app/main.py\"]\n",
            ),
            ("api/main.py", ""),
        ];
        let found = check(&request("api"), &files, &["python3", "/tree/api/main.py"], None);
        assert_eq!(found.working_directory, Some("/tree/api".into()));
    }

    #[test]
    fn go_builds_are_repeated_in_the_tree() {
        let files = [
            (
                "cart/Dockerfile",
                "FROM golang AS b\nWORKDIR /src\nCOPY . ./\nRUN CGO_ENABLED=0 go build -o /bin/cart ./cmd/cart && true\nFROM scratch\nCOPY --from=b /bin/cart /cart\nENTRYPOINT [\"/cart\"]\n",
            ),
            ("cart/go.mod", "module cart\n"),
        ];
        let build: &[&str] = &["go", "build", "-o", "/tree/.flyball/bin/cart", "./cmd/cart"];
        check(
            &request("cart"),
            &files,
            &["/tree/.flyball/bin/cart"],
            Some((build, "/tree/cart")),
        );
    }

    #[test]
    fn the_rules_have_an_order() {
        let mut annotated = request("web");
        annotated.annotations.insert(ANNOTATION_RUN.into(), "make run".into());
        check(&annotated, &[("web/main.py", "")], &["/bin/sh", "-c", "make run"], None);
        annotated
            .annotations
            .insert("flyball.dev/run.web".into(), "make web".into());
        check(&annotated, &[], &["/bin/sh", "-c", "make web"], None);

        let mut commanded = request("busybox");
        (commanded.command, commanded.arguments) = (vec!["sh".into(), "-c".into()], vec!["true".into()]);
        check(&commanded, &[], &["sh", "-c", "true"], None);

        check(
            &request("x/web:2"),
            &[("svc/web/main.py", "")],
            &["python3", "main.py"],
            None,
        );
        check(
            &request("redis:7"),
            &[],
            &["redis-server", "--bind", "0.0.0.0", "--protected-mode", "no"],
            None,
        );
    }

    #[test]
    fn nothing_found_says_what_to_add() {
        let error = resolve(&request("acme/ghost:1"), &TextTree(vec![]), &Programs(&[])).unwrap_err();
        assert!(error.to_string().contains(ANNOTATION_RUN), "{error}");
        assert_eq!(error.why.len(), 4);
    }
}
