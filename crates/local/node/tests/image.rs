//! The example of this repository resolves to its own cargo packages.

use std::path::Path;

use node::image::{HostMachine, HostTree, Request, resolve};

#[test]
fn the_checkout_example_is_built_from_its_tree() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../..")
        .canonicalize()
        .unwrap();
    let tree = HostTree::around(&repository.join("examples/checkout/k8s"));
    for name in ["web", "price", "stock", "load"] {
        let request = Request {
            container: name.to_owned(),
            image: format!("checkout/{name}:1.0.0"),
            ..Request::default()
        };
        let found = resolve(&request, &tree, &HostMachine).unwrap();
        let build = found.build.unwrap();
        assert_eq!(build.argv, ["cargo", "build", "--release", "-p", name]);
        assert_eq!(build.working_directory, repository);
        assert!(found.argv[0].ends_with(&format!("release/{name}")), "{:?}", found.argv);
        assert!(
            found
                .environment
                .contains(&("LISTEN".to_owned(), "0.0.0.0:8080".to_owned()))
        );
        assert!(
            found.why.iter().any(|step| step.rule == "dockerfile"),
            "{:?}",
            found.why
        );
    }
}
