//! Every check that Schemathesis has, on every route of the document.

use schemathesis_tests::{Schemathesis, Surroundings, server};

#[tokio::test]
async fn every_answer_is_what_the_document_says() {
    let tool = Schemathesis::find().expect("Schemathesis can be had");
    let server = server().expect("the server starts");
    let surroundings = Surroundings::on(&server)
        .await
        .expect("the server takes what has to be there");
    match tool.run(&server, &surroundings) {
        Ok(said) => {
            let summary = said.find("API Operations:").expect("it tells what it did");
            println!("{}", &said[summary..]);
            assert!(
                said.contains("No issues found") || said[summary..].contains("passed"),
                "{said}"
            );
        }
        Err(error) => panic!("{error:#}"),
    }
}
