//! Every built-in role at every route: a table, so that a change of who may do what is seen as one.

use std::fmt::Write as _;

use serde_json::json;
use store::BuiltInRole;

use crate::access::operations;
use crate::world::{Answer, World};

#[tokio::test]
async fn what_each_role_may_do() {
    let world = World::new().await;
    let mut credentials = Vec::new();
    for role in BuiltInRole::ALL {
        let scopes: Vec<String> = role.scopes().iter().map(ToString::to_string).collect();
        let scopes: Vec<&str> = scopes.iter().map(String::as_str).collect();
        let key = world.key_with(&scopes.join(" ")).await;
        credentials.push((*role, [key, world.token_with(&scopes).await]));
    }
    let mut table = String::new();
    for (method, path, scope) in operations() {
        let mut may = Vec::new();
        for (role, credentials) in &credentials {
            let mut open = Vec::new();
            for credential in credentials {
                let request = world.request(&method, &path).bearer_auth(credential).json(&json!({}));
                let answer = Answer::to(request).await;
                assert!(![401, 405, 500].contains(&answer.status), "{role} {method} {path}: {}", answer.text);
                if answer.status == 403 {
                    assert_eq!(
                        answer.refused(403, "missing-scope")["scope"],
                        json!(scope),
                        "{role} {method} {path}"
                    );
                }
                open.push(answer.status != 403);
            }
            assert_eq!(open[0], open[1], "{role} {method} {path}: a key and a token are worth the same");
            may.push(if open[0] { role.as_str() } else { "-" });
        }
        let path = path.replace("01890a5d-ac96-774b-bcce-b302099a8057", "*").replace(&"ab".repeat(32), "*");
        let [owner, admin, analyst, operator, installer] = may[..] else {
            panic!("another role came: {may:?}")
        };
        writeln!(table, "{method:6} {path:49} {owner:5} {admin:5} {analyst:7} {operator:8} {installer}")
            .unwrap();
    }
    insta::assert_snapshot!("roles", table);
    world.stop().await;
}
